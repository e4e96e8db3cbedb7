import type { Candidate, Skip } from './selection.js';

/** A circular list with a head (RFC 5356 §4.1.2). The links are the candidates' own, so nothing is searched or moved. */
export class Ring<C extends Candidate> {
  size = 0;
  steps = 0;
  head: C | undefined;

  /** Joins as the last one to come. */
  add(candidate: C): void {
    candidate.ring = this;
    const { head } = this;
    if (head === undefined) {
      candidate.next = candidate.previous = candidate;
      this.head = candidate;
    } else {
      candidate.next = head;
      candidate.previous = head.previous;
      head.previous.next = candidate;
      head.previous = candidate;
    }
    this.size++;
  }

  remove(candidate: C): void {
    if (this.head === candidate) this.head = this.size === 1 ? undefined : (candidate.next as C);
    candidate.previous.next = candidate.next;
    candidate.next.previous = candidate.previous;
    candidate.next = candidate.previous = candidate;
    candidate.ring = undefined;
    this.size--;
  }

  /** The head, which moves on by one. */
  turn(skip?: Skip<C>): C | undefined {
    let candidate = this.head;
    if (candidate === undefined) return undefined;
    if (skip !== undefined) {
      for (let left = this.size; skip(candidate); candidate = candidate.next as C) {
        if (--left === 0) return undefined;
        this.steps++;
      }
    }
    this.steps++;
    this.head = candidate.next as C;
    return candidate;
  }

  /** As if `candidate` had been its turn. */
  startAfter(candidate: C): void {
    this.head = candidate.next as C;
  }

  /** Appends to `list`, from `first` once round, until it has `max`. */
  listFrom(first: C, list: C[], max: number): void {
    let candidate = first;
    while (list.length < max) {
      list.push(candidate);
      candidate = candidate.next as C;
      if (candidate === first) return;
    }
  }
}
