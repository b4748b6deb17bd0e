import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// Every process of the tests loads the same sources: what Node makes of them is kept for the next one.
enableCompileCache(join(import.meta.dirname, '../../.cache/compiled'));
