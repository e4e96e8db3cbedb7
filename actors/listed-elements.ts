import type { Milliseconds } from '../environment.js';
import type { PoolElement } from '../wire/index.js';

/** A registrar's answer, as evidence of who is not in the pool any more. */
export interface Listing {
  readonly elements: readonly PoolElement[];
  /** What it does not list is not in the pool. */
  readonly isWhole: boolean;
  /** Whose word it is: since when that registrar is home. */
  readonly home: Milliseconds;
  /** It may have been started just now, and does not know everybody yet. */
  readonly isYoung: boolean;
}

/** Which elements of a pool were listed, and by which home registrar. One that is missing from a later list has left; but a new registrar is not believed
 *  about those that it has never listed, before all who live have had the time to register with it. */
export class ListedElements {
  readonly #elements = new Map<number, { readonly element: PoolElement; readonly home: Milliseconds }>();

  /** @returns those that have left: they are in the pool no more, or have come back somewhere else. */
  answered({ elements, isWhole, home, isYoung }: Listing): readonly PoolElement[] {
    const gone: PoolElement[] = [];
    const now = new Map(elements.map((element) => [element.identifier, element]));
    for (const [identifier, known] of this.#elements) {
      const listed = now.get(identifier);
      const hasLeft = listed === undefined ? isWhole && (known.home === home || !isYoung) : !isSamePlace(listed, known.element);
      if (!hasLeft) continue;
      this.#elements.delete(identifier);
      gone.push(known.element);
    }
    for (const element of elements) this.#elements.set(element.identifier, { element, home });
    if (this.#elements.size > MOST) this.#elements.clear(); // lists that are cut, again and again
    return gone;
  }

  /** A registrar was asked after one that was not listed. @param now how it is in the pool, if at all. @returns whether it has left. */
  asked(element: PoolElement, now: PoolElement | undefined, { home, isYoung }: Pick<Listing, 'home' | 'isYoung'>): boolean {
    if (now !== undefined) this.#elements.set(now.identifier, { element: now, home });
    if (now !== undefined) return !isSamePlace(now, element);
    const hasLeft = !isYoung || this.#elements.get(element.identifier)?.home === home;
    if (hasLeft) this.#elements.delete(element.identifier);
    return hasLeft;
  }
}

export const isSamePlace = (a: PoolElement, b: PoolElement): boolean => a === b || JSON.stringify(a.userTransport) === JSON.stringify(b.userTransport);

const MOST = 20_000;
