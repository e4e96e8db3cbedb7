import { Ring } from './ring.js';
import type { Candidate, Skip } from './selection.js';

/** Candidates in ascending order of a key; those with the same key form a ring and take turns. A treap of rings. */
export class OrderedRings<C extends Candidate> {
  #root: Node<C> | undefined;
  #least: Node<C> | undefined;
  #seed = 0x9e3779b9;
  size = 0;
  steps = 0;

  add(candidate: C, key: number): void {
    let node = this.#find(key);
    if (node === undefined) {
      node = new Node<C>(key, this.#nextPriority());
      this.#root = this.#insert(this.#root, node);
      this.#least = undefined;
    }
    node.ring.add(candidate);
    this.size++;
  }

  /** `key` is the one it was added with. */
  remove(candidate: C, key: number): void {
    const ring = candidate.ring as Ring<C>;
    ring.remove(candidate);
    this.size--;
    if (ring.size > 0) return;
    this.#root = this.#delete(this.#root, key);
    this.#least = undefined;
  }

  /** The next in turn among those with the least key. */
  turn(skip?: Skip<C>): C | undefined {
    if (skip === undefined) return this.#first()?.ring.turn();
    let picked: C | undefined;
    this.#walk(this.#root, (node) => (picked = node.ring.turn(skip)) === undefined);
    return picked;
  }

  isLeast(candidate: C): boolean { return candidate.ring === this.#first()?.ring; }

  /** `first` and those equal to it, from there on round; then the others in order. */
  list(first: C, max: number): C[] {
    const list: C[] = [];
    first.ring?.listFrom(first, list, max);
    this.#append(list, max, first.ring);
    return list;
  }

  /** `first`, then the others in order, wherever `first` is now. */
  listBehind(first: C, max: number): C[] {
    const list: C[] = [];
    this.#append(list, max + 1, undefined);
    return [first, ...list.filter((each) => each !== first)].slice(0, max);
  }

  #append(list: C[], max: number, without: object | undefined): void {
    if (list.length >= max) return;
    this.#walk(this.#root, ({ ring }) => {
      if (ring.head !== undefined && ring !== without) ring.listFrom(ring.head, list, max);
      return list.length < max;
    });
  }

  #first(): Node<C> | undefined {
    if (this.#least !== undefined) return this.#least;
    let node = this.#root;
    for (; node?.left !== undefined; node = node.left) this.steps++;
    this.#least = node;
    return node;
  }

  #find(key: number): Node<C> | undefined {
    let node = this.#root;
    for (; node !== undefined && node.key !== key; node = key < node.key ? node.left : node.right) this.steps++;
    return node;
  }

  /** In order. @returns false when `visit` did: the walk ends. */
  #walk(node: Node<C> | undefined, visit: (node: Node<C>) => boolean): boolean {
    if (node === undefined) return true;
    this.steps++;
    return this.#walk(node.left, visit) && visit(node) && this.#walk(node.right, visit);
  }

  #insert(node: Node<C> | undefined, added: Node<C>): Node<C> {
    if (node === undefined) return added;
    this.steps++;
    if (added.key < node.key) {
      node.left = this.#insert(node.left, added);
      return node.left.priority > node.priority ? rotateRight(node, node.left) : node;
    }
    node.right = this.#insert(node.right, added);
    return node.right.priority > node.priority ? rotateLeft(node, node.right) : node;
  }

  #delete(node: Node<C> | undefined, key: number): Node<C> | undefined {
    if (node === undefined) return undefined;
    this.steps++;
    if (key < node.key) node.left = this.#delete(node.left, key);
    else if (key > node.key) node.right = this.#delete(node.right, key);
    else return this.#join(node.left, node.right);
    return node;
  }

  #join(left: Node<C> | undefined, right: Node<C> | undefined): Node<C> | undefined {
    if (left === undefined) return right;
    if (right === undefined) return left;
    this.steps++;
    if (left.priority > right.priority) {
      left.right = this.#join(left.right, right);
      return left;
    }
    right.left = this.#join(left, right.left);
    return right;
  }

  /** xorshift32: the shape of the tree needs variety, not secrecy. */
  #nextPriority(): number {
    this.#seed ^= this.#seed << 13;
    this.#seed ^= this.#seed >>> 17;
    this.#seed ^= this.#seed << 5;
    return this.#seed;
  }
}

class Node<C extends Candidate> {
  left: Node<C> | undefined;
  right: Node<C> | undefined;
  readonly ring = new Ring<C>();
  constructor(readonly key: number, readonly priority: number) {}
}

function rotateRight<C extends Candidate>(node: Node<C>, left: Node<C>): Node<C> {
  node.left = left.right;
  left.right = node;
  return left;
}

function rotateLeft<C extends Candidate>(node: Node<C>, right: Node<C>): Node<C> {
  node.right = right.left;
  right.left = node;
  return right;
}
