import type { Random } from '../../../environment.js';
import type { DatagramNetwork } from '../../../transports/network.js';

/** Sends some datagrams twice. */
export const spoiled = (network: DatagramNetwork, random: Random, twice: number): DatagramNetwork => ({
  bind: async (at, receive) => {
    const socket = await network.bind(at, receive);
    return {
      local: socket.local,
      send: (bytes, to) => {
        socket.send(bytes, to);
        if (random.fraction() < twice) socket.send(bytes, to);
      },
      join: (group) => { socket.join(group); },
      leave: (group) => { socket.leave(group); },
      close: () => { socket.close(); },
    };
  },
});
