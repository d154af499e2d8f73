// The basket of a browser: items by their names ("100m.image.5"), each once, in the order in which they were put in.

/** What the page's elements dispatch to put items in the basket, such as a selection of the map. */
export interface Selected {
  readonly dataset: string;
  readonly modality: string;
  readonly ids: readonly number[];
}
export const SELECT = "emm1-select";

// As emm1/explore/asked.py has them.
export const MOST_IN_ADDRESS = 2000;
export const MOST_SENT = 100_000;

export const namesOf = ({ dataset, modality, ids }: Selected): string[] => ids.map((id) => `${dataset}.${modality}.${id}`);

/** The basket with items put in, or taken out. */
export function changed(basket: readonly string[], names: readonly string[], put: boolean): string[] {
  const given = new Set(names);
  return put ? [...new Set([...basket, ...names])] : basket.filter((name) => !given.has(name));
}

/** The address that shows a basket: at most as many items as an address may name. */
export const addressOf = (basket: readonly string[]): string =>
  basket.length ? `/basket?items=${basket.slice(0, MOST_IN_ADDRESS).join(",")}` : "/basket";

/** The basket that is kept under a name; empty if there is none, or something else is kept there. */
export function read(storage: Pick<Storage, "getItem">, key: string): string[] {
  try {
    const found: unknown = JSON.parse(storage.getItem(key) ?? "[]");
    return Array.isArray(found) ? found.filter((name) => typeof name === "string") : [];
  } catch {
    return [];
  }
}
