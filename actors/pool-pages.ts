import type { Clock, Milliseconds } from '../environment.js';
import type { Timers } from '../machines/timers.js';
import { poolHandleFromKey, type AsapMessageOf, type PoolElement } from '../wire/index.js';
import { deferred, type Deferred } from './waiting.js';

export interface PoolPagesSetup {
  readonly clock: Clock;
  readonly timers: Pick<Timers, 't1EnrpRequest' | 'maxRequestRetransmit'>;
  /** To the home registrar, where there is one. */
  readonly send: (message: AsapMessageOf<'ASAP_HANDLE_RESOLUTION'>) => void;
  /** The home registrar has not answered. */
  readonly suspect: () => void;
}

/** Elements of a pool as they were read. */
export interface Listed {
  readonly elements: readonly PoolElement[];
  /** Nobody is missing who was in the pool all the time. */
  readonly isWhole: boolean;
}

/** Pools longer than one answer, page by page (parameter 0x8f08, X-17): beside the cache and its resolutions, since a page is no pick of the pool's policy. Repeated as resolutions are (RFC 5352 §3.7.2). */
export class PoolPages {
  readonly #setup: PoolPagesSetup;
  readonly #questions = new Map<string, Map<string, Question>>();
  readonly #listings = new Map<string, Promise<Listed>>();

  constructor(setup: PoolPagesSetup) {
    this.#setup = setup;
  }

  /** All of the pool, by identifier. One listing for all who want it at once. */
  list(key: string): Promise<Listed> {
    const listing = this.#listings.get(key) ?? this.#list(key).finally(() => { this.#listings.delete(key); });
    this.#listings.set(key, listing);
    return listing;
  }

  /** @returns whether it is in the pool, and how; undefined where no registrar says. */
  async find(key: string, identifier: number): Promise<{ readonly element: PoolElement | undefined } | undefined> {
    const page = await this.#ask(key, identifier, 1);
    const [first] = page?.poolElements ?? [];
    return page && { element: first?.identifier === identifier ? first : undefined };
  }

  async #list(key: string): Promise<Listed> {
    const elements: PoolElement[] = [];
    for (let from = 0; elements.length < MOST;) {
      const page = await this.#ask(key, from);
      if (page === undefined) return { elements, isWhole: false };
      for (const element of page.poolElements) {
        if (element.identifier < from) return { elements, isWhole: false }; // this registrar does not know what a page is
        elements.push(element);
        from = element.identifier + 1;
      }
      if (page.page.behind === 0 || page.poolElements.length === 0) return { elements, isWhole: page.page.behind === 0 };
    }
    return { elements, isWhole: false };
  }

  /** @returns whether it was an answer to a question of ours, or to none any more; all others are the resolution's. */
  answered(key: string, answer: Answer): boolean {
    const { page, error } = answer;
    if (page === undefined) {
      if (error !== undefined) for (const question of [...this.#questions.get(key)?.values() ?? []]) question.settle(undefined);
      return false;
    }
    this.#questions.get(key)?.forEach((question) => { if (question.from === page.from) question.settle({ ...answer, page }); });
    return true;
  }

  close(): void {
    for (const questions of [...this.#questions.values()]) for (const question of [...questions.values()]) question.settle(undefined);
  }

  #ask(key: string, from: number, wanted?: number): Promise<Page | undefined> {
    const name = `${from} ${wanted ?? ''}`;
    const questions = this.#questions.get(key) ?? new Map<string, Question>();
    this.#questions.set(key, questions);
    const known = questions.get(name);
    if (known !== undefined) return known.answer.promise;
    const { clock, timers } = this.#setup;
    const answer = deferred<Page | undefined>();
    let timer: unknown;
    const ask = (left: number): void => {
      this.#setup.send({ type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: false }, poolHandle: poolHandleFromKey(key), itemsWanted: wanted, page: { from, behind: 0 } });
      timer = clock.setTimeout(() => {
        this.#setup.suspect();
        if (left > 0) ask(left - 1);
        else question.settle(undefined);
      }, timers.t1EnrpRequest);
    };
    const question: Question = {
      from, answer,
      settle: (page) => {
        clock.clearTimeout(timer);
        questions.delete(name);
        if (questions.size === 0) this.#questions.delete(key);
        answer.resolve(page);
      },
    };
    questions.set(name, question);
    ask(timers.maxRequestRetransmit);
    return answer.promise;
  }
}

/** Whether elements that are in use and that a list leaves out are in the pool still: asked one by one, since they are few beside the pool. */
export class UnlistedElements {
  readonly #setup: UnlistedElementsSetup;
  #isLooking = false;
  #isToLookAgain = false;

  constructor(setup: UnlistedElementsSetup) {
    this.#setup = setup;
  }

  /** A list has come that leaves some out. @param left those in use which it leaves out. */
  look(left: () => readonly PoolElement[]): void {
    this.#isToLookAgain = true;
    if (!this.#isLooking) void this.#look(left);
  }

  async #look(left: () => readonly PoolElement[]): Promise<void> {
    this.#isLooking = true;
    while (this.#isToLookAgain) {
      this.#isToLookAgain = false;
      const elements = left();
      await Promise.all(elements.map(async (element) => {
        const found = await this.#setup.find(element.identifier);
        if (found !== undefined) this.#setup.found(element, found.element);
      }));
      if (elements.length > 0) await this.#pause(Math.max(this.#setup.interval, elements.length));
    }
    this.#isLooking = false;
  }

  /** A thousand questions a second are enough. */
  #pause(time: Milliseconds): Promise<void> {
    return new Promise((resolve) => { this.#setup.clock.setTimeout(resolve, time); });
  }
}

export interface UnlistedElementsSetup {
  readonly clock: Clock;
  /** The least between two rounds. */
  readonly interval: Milliseconds;
  readonly find: (identifier: number) => ReturnType<PoolPages['find']>;
  /** @param now how it is in the pool now, if at all. */
  readonly found: (element: PoolElement, now: PoolElement | undefined) => void;
}

type Answer = AsapMessageOf<'ASAP_HANDLE_RESOLUTION_RESPONSE'>;
type Page = Answer & { readonly page: NonNullable<Answer['page']> };
interface Question {
  readonly from: number;
  readonly answer: Deferred<Page | undefined>;
  readonly settle: (page: Page | undefined) => void;
}

/** Elements of one listing: what a registrar takes into a pool by default. */
const MOST = 100_000;
