import { createSocket } from 'node:dgram';
import { nodeClock } from '../../transports/node.js';

/** Whether groups can be joined and heard on the loopback; some machines (containers, mostly) refuse. */
export const hasLoopbackMulticast = (): Promise<boolean> => new Promise((resolve) => {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  const end = (outcome: boolean) => (): void => {
    nodeClock.clearTimeout(patience);
    socket.removeAllListeners();
    socket.on('error', () => undefined);
    socket.close();
    resolve(outcome);
  };
  const patience = nodeClock.setTimeout(end(false), 1000); // it says nothing, and nothing comes
  socket.once('error', end(false));
  socket.once('message', end(true));
  socket.bind(0, () => {
    try {
      socket.setMulticastInterface('127.0.0.1');
      socket.addMembership('239.255.77.9', '127.0.0.1');
      socket.send('hello', socket.address().port, '239.255.77.9', () => undefined);
    } catch {
      end(false)();
    }
  });
});
