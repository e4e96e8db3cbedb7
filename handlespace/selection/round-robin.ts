import { CircularSelection } from './circular.js';
import type { Candidate, Skip } from './selection.js';

/** Round robin, RFC 5356 §4.1: in turn. */
export class RoundRobin<C extends Candidate> extends CircularSelection<C> {
  protected read(): void {}
  protected capacity(): number { return 1; }
  protected select(skip: Skip<C> | undefined): C | undefined { return this.serving.turn(skip); }
  protected override taken(candidate: C): void { this.serving.startAfter(candidate); }
}
