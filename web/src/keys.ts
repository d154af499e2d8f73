// What keys do: the one table, from which the help is drawn, too.

/** Keys as `KeyboardEvent.key` names them; two that follow one another are written "g t". */
export interface Key {
  readonly keys: readonly string[];
  /** What they do, for the help. */
  readonly does: string;
  /** Selectors of what is followed, pressed or entered: the first that the page has. "$" stands for the key. */
  readonly targets: readonly string[];
}

export const KEYS: readonly Key[] = [
  { keys: ["j"], does: "next caption, item or page", targets: ["a[rel~=next]"] },
  { keys: ["k"], does: "previous caption, item or page", targets: ["a[rel~=prev]"] },
  { keys: ["l"], does: "next rank", targets: ["[data-rank=next]"] },
  { keys: ["h"], does: "previous rank", targets: ["[data-rank=prev]"] },
  { keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], does: "the rank", targets: ['[data-rank="$"]'] },
  { keys: ["0"], does: "all ranks", targets: ["[data-rank=all]"] },
  { keys: ["i"], does: "images", targets: ["[data-modality=image]"] },
  { keys: ["a"], does: "audio", targets: ["[data-modality=audio]"] },
  { keys: ["v"], does: "video", targets: ["[data-modality=video]"] },
  { keys: ["p"], does: "point clouds", targets: ["[data-modality=points]"] },
  { keys: ["e"], does: "every modality", targets: ["[data-modality=all]"] },
  { keys: ["m"], does: "more like this", targets: ["a[data-like]"] },
  { keys: ["b"], does: "put it in the basket, or take it out", targets: ['main input[name=items]'] },
  { keys: ["/"], does: "the search box", targets: ["input[type=search]", "header input"] },
  { keys: ["g c"], does: "captions", targets: ['header a[href^="/?"]'] },
  { keys: ["g t"], does: "rated triplets", targets: ['header a[href="/triplets"]'] },
  { keys: ["g e"], does: "EShot", targets: ['header a[href="/eshot"]'] },
  { keys: ["g b"], does: "the basket", targets: ["item-basket form button"] },
  { keys: ["g m"], does: "maps", targets: ['header a[href="/map"]'] },
  { keys: ["g r"], does: "the report", targets: ['header a[href="/report"]'] },
  { keys: ["?"], does: "this help", targets: ["key-help button"] },
];

/** What a key does to a point cloud that has the focus: it turns it, by angles to the right and up, or brings it nearer. */
export interface Turn {
  readonly keys: readonly string[];
  readonly does: string;
  readonly right?: number;
  readonly up?: number;
  readonly nearer?: number;
}

const ANGLE = Math.PI / 24;
export const TURNS: readonly Turn[] = [
  { keys: ["ArrowLeft"], does: "turn it to the left", right: -ANGLE },
  { keys: ["ArrowRight"], does: "turn it to the right", right: ANGLE },
  { keys: ["ArrowUp"], does: "see it from above", up: ANGLE },
  { keys: ["ArrowDown"], does: "see it from below", up: -ANGLE },
  { keys: ["+", "="], does: "nearer", nearer: 1.2 },
  { keys: ["-"], does: "farther", nearer: 1 / 1.2 },
];

/** The entry of a key, and the key with those before it. */
export interface Pressed {
  readonly key: Key | null;
  readonly name: string;
}

/**
 * What a key means after others.
 *
 * @param before keys that wait for another: "" or "g".
 * @param key the key, as events name it.
 */
export function pressed(before: string, key: string): Pressed {
  const name = before ? `${before} ${key}` : key;
  return { key: KEYS.find(({ keys }) => keys.includes(name)) ?? null, name };
}

/** Whether keys are the beginning of others. */
export const begins = (name: string): boolean => KEYS.some(({ keys }) => keys.some((key) => key.startsWith(`${name} `)));

/** The selectors of a key's targets. */
export const targetsOf = ({ key, name }: Pressed): readonly string[] =>
  key?.targets.map((target) => target.replace("$", name)) ?? [];
