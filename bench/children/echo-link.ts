import { serveParent } from '../child.js';
import { frames, sctpOf } from '../links.js';

/** Answers each frame with the same, on links over SCTP. */
const { address } = await sctpOf().listen('sctp+udp://127.0.0.3:0', (link) => ({
  frame: (bytes, start, end) => {
    const room = link.reserve(end - start);
    bytes.copy(room.bytes, room.offset, start, end);
  },
  down: () => undefined,
}), frames);
serveParent({ address });
