import { sqlitePlace } from './sqlite-place.ts';
import { storeContract } from './store.contract.ts';

storeContract('SQLite', sqlitePlace);
