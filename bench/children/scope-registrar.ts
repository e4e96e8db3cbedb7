import { createRegistrar } from '../../index.js';
import { inputOf, serveParent } from '../child.js';

/** One of several registrars; SIGTERM ends it as the command line's ends. */
const { id, asap, enrp, peers } = inputOf<{ id: number; asap: string; enrp: string; peers: readonly string[] }>();
const registrar = await createRegistrar({ id, asap: [asap], enrp: [enrp], peers });
process.on('SIGTERM', () => { void registrar.close().then(() => process.exit()); });
serveParent({});
