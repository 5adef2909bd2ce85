// For sliders: of many calls that come faster than they can be answered, the newest is run next and none in between.

export function latest(task) {
  let running = false;
  let waiting = null;
  return async function call(...inputs) {
    waiting = inputs;
    if (running) return;
    running = true;
    while (waiting) {
      const now = waiting;
      waiting = null;
      await task(...now);
    }
    running = false;
  };
}
