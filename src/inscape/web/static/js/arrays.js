// Arrays of answers: base64 of little-endian numbers, unpacked to typed arrays; NaN is what is not known.

const TYPES = { f4: Float32Array, f8: Float64Array };

function numbers({ dtype, bdata }) {
  const text = atob(bdata);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return new TYPES[dtype](bytes.buffer);
}

const unpack = (values) => (Array.isArray(values) ? values : numbers(values));

// {axes, variables} of an answer, with plain arrays: axes {values, edges, units}, variables {dims, shape, values, units}.
export function unpacked(answer) {
  const axes = {};
  for (const [name, axis] of Object.entries(answer.axes)) {
    axes[name] = { ...axis, values: unpack(axis.values), edges: axis.edges ? unpack(axis.edges) : null };
  }
  const variables = {};
  for (const [name, variable] of Object.entries(answer.variables)) {
    variables[name] = {
      ...variable,
      shape: variable.values.shape.split(",").map(Number),
      values: numbers(variable.values),
    };
  }
  return { ...answer, axes, variables };
}

// A table of shape (n, m) as m rows of n: a map (q, energy) as Plotly draws it, energy upwards.
export function transposed(values, [n, m]) {
  const rows = Array.from({ length: m }, () => new Float32Array(n));
  for (let i = 0; i < n; i += 1) for (let j = 0; j < m; j += 1) rows[j][i] = values[i * m + j];
  return rows;
}

// One row of a table whose last two dimensions have been flattened or not: entry i along the first.
export function part(variable, i) {
  const size = variable.values.length / variable.shape[0];
  return variable.values.subarray(i * size, (i + 1) * size);
}

// The slice at index l of the last dimension of (n, m, levels), as m rows of n.
export function slice({ values, shape: [n, m, levels] }, l) {
  const rows = Array.from({ length: m }, () => new Float32Array(n));
  for (let i = 0; i < n; i += 1) for (let j = 0; j < m; j += 1) rows[j][i] = values[(i * m + j) * levels + l];
  return rows;
}

export function sum(arrays) {
  const total = Float32Array.from(arrays[0]);
  for (const array of arrays.slice(1)) for (let i = 0; i < total.length; i += 1) total[i] += array[i];
  return total;
}
