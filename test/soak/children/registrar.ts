import { createRegistrar } from '../../../index.js';
import { serveParent } from '../../../bench/child.js';
import { resources } from '../resources.js';

const registrar = await createRegistrar({ asap: ['tcp://127.0.0.1:0'] });
serveParent({ address: registrar.asap[0] }, { resources });
