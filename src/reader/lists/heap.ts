/** What comes first, of things that come in any order. */
export class Heap<T> {
  readonly #compare: (one: T, other: T) => number;
  readonly #things: T[] = [];

  /** `compare` answers below zero where the first one comes first. */
  constructor(compare: (one: T, other: T) => number) {
    this.#compare = compare;
  }

  push(thing: T): void {
    const things = this.#things;
    let place = things.push(thing) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = things[above] as T;
      if (this.#compare(parent, thing) <= 0) break;
      things[place] = parent;
      place = above;
    }
    things[place] = thing;
  }

  pop(): T | undefined {
    const things = this.#things;
    const [first] = things;
    const last = things.pop();
    if (things.length === 0 || last === undefined) return first;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= things.length) break;
      if (below + 1 < things.length && this.#compare(things[below + 1] as T, things[below] as T) < 0) below += 1;
      const child = things[below] as T;
      if (this.#compare(last, child) <= 0) break;
      things[place] = child;
      place = below;
    }
    things[place] = last;
    return first;
  }
}
