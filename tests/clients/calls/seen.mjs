// How a client's script says what its calls did: a line of JSON each.
export const BASE_URL = `${process.env.RAYSCRIBE_URL}/v1`;
export const FILE = process.env.RAYSCRIBE_FILE;
export const KEY = "any";

export async function call(name, work, holds = "hello") {
  let error = null;
  try {
    const result = await work();
    if (!result.toLowerCase().includes(holds)) error = `'${holds}' is not in '${result}'`;
  } catch (thrown) {
    console.error(thrown);
    error = `${thrown.name}: ${thrown.message}`.replace(/\s+/g, " ");
  }
  console.log(JSON.stringify({ call: name, error }));
}
