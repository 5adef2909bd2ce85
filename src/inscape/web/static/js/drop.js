// A place for files: chosen in the dialogue, dropped on it, or pasted anywhere in its view.

export function onFile(zone, input, take) {
  const takeChosen = () => {
    if (input.files.length) take(input.files[0]);
    input.value = "";
  };
  input.addEventListener("change", takeChosen);
  takeChosen(); // a file that was chosen before this script was there
  for (const kind of ["dragenter", "dragover"]) {
    zone.addEventListener(kind, (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  });
}

// A file let go beside the zone must not make the browser leave the page.
export function guardWindow() {
  for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
}
