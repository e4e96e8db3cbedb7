/** One of the mirrors, a process of its own: `server.js REGISTRAR IDENTIFIER SEED SIZE`. It keeps nothing of its sessions: each request says where it begins. */
import { initialize } from '../../index.js';
import { MadeFile } from './made-file.js';
import { decodeRequest, encodePortion, PORTION } from './protocol.js';

const [registrar = '', identifier = '', seed = '', size = ''] = process.argv.slice(2);
const file = new MadeFile(seed, Number(size));

const rsp = await initialize({ registrars: [registrar] });
await rsp.register('files', { listen: ['tcp://127.0.0.1:0'], identifier: Number(identifier), outputCommit: false }, (session) => { // replies stream
  session.on('data', async (request, info) => {
    let { offset } = decodeRequest(request);
    do {
      const bytes = file.read(offset, PORTION);
      await info.reply(encodePortion({ offset, total: file.size, bytes })); // resolves when there is room, rejects when the client has gone
      offset += bytes.length;
    } while (offset < file.size);
  });
});
console.log('ready');
process.stdin.resume().once('close', () => { process.exit(); }); // whoever started us has ended
