import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { workflowJsonSchema } from '../mcp-server/planning/workflows/workflow.ts';
import { manifestJsonSchema } from '../mcp-server/skills/manifest.ts';

/** Writes the schemas that editors read, from those that the program reads with. */
const folder = join(import.meta.dirname, '..', 'media', 'schemas');
writeFileSync(join(folder, 'workflow.schema.json'), `${JSON.stringify(workflowJsonSchema(), null, 2)}\n`);
writeFileSync(join(folder, 'skill-manifest.schema.json'), `${JSON.stringify(manifestJsonSchema(), null, 2)}\n`);
