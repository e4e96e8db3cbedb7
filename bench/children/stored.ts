import { bareServer } from '../bare.js';
import { inputOf, serveParent } from '../child.js';

/** The opponent of a registrar: returns stored bytes, found by a key. */
const { pools, size } = inputOf<{ pools: number; size: number }>();
const stored = new Map(Array.from({ length: pools }, (_, index) => [`pool-${index}`, Buffer.alloc(size, index)]));
const nothing = Buffer.alloc(0);
serveParent({ port: await bareServer((key) => stored.get(key.toString('latin1')) ?? nothing) });
