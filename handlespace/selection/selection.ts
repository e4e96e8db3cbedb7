import type { Policy } from '../../wire/index.js';
import type { Heap } from './heap.js';
import type { Ring } from './ring.js';

/** What can be selected. The fields below the line belong to the selection that holds it: no look-up on the way to a pick. */
export abstract class Candidate {
  /** The element's own values; the pool's policy says which of them count. */
  abstract readonly policy: Policy;
  //
  ring: Ring<Candidate> | undefined;
  next: Candidate = this;
  previous: Candidate = this;
  /** Weight, or what it is ordered by before its uses are counted. */
  base = 0;
  /** What each use adds. */
  step = 0;
  uses = 0;
  /** Load that the user's own sessions have put there since it last told its own. */
  placed = 0;
  /** Index in the array, sum tree or heap that holds it. */
  slot = -1;
  heap: Heap<Candidate> | undefined;
  /** Virtual time from which its uses count (weighted round robin). */
  origin = 0;
  /** Decides between equals: lower came first. */
  turn = 0;
  /** For the owner of prepared answers: where this one's bytes begin. */
  offset = 0;
}

export type Skip<C> = (candidate: C) => boolean;

/** The member selection policy of one pool (RFC 5356). Every operation costs at most O(log n); `list` what it lists, besides.
 *  A candidate without capacity (weight 0, load full) is left out while others have some; then they take turns. */
export interface Selection<C extends Candidate> {
  readonly size: number;
  /** Nodes touched so far: the tests hold it to the logarithm. */
  readonly steps: number;
  add(candidate: C): void;
  remove(candidate: C): void;
  /** Registered again: its `policy` may have changed, its degradation starts anew (RFC 5356 §5.2.2). Keeps its turn where its value is the same. */
  update(candidate: C): void;
  /** The one to put first; this use alone is counted. Undefined when none is left that is not skipped. */
  pick(skip?: Skip<C>): C | undefined;
  /** Whether nothing that is known here speaks against a choice made elsewhere: by a registrar, with a list that begins with it. */
  mayTake(candidate: C): boolean;
  /** A pick of just this one. */
  take(candidate: C): void;
  /** A session of ours goes there, and the policy counts no picks: it is so much load more, until the element tells its own again. */
  place(candidate: C): void;
  /** At most `max`, each once, `first` in front, the others in the order in which the policy would have them tried.
   *  Where `first.step` is 0, the first `first.ring.size` of them are one circle: with another of them first it is the same list, rotated. */
  list(first: C, max: number): C[];
}
