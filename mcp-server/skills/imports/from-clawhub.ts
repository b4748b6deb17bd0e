import { z } from 'zod';
import { UserError } from '../../domain/errors.ts';
import { oneLine } from '../../domain/text.ts';
import { skillNameOf } from '../parse-skill.ts';
import { type BundleFile, type ImportLimits, makeBundle, type SkillBundle, sha256 } from './bundle.ts';
import { badAnswer, createHubGet, type HubAnswer, type HubGet, type HubParts } from './clawhub-client.ts';
import { type FetchCommit, fetchFromGit } from './from-git.ts';
import { readZip } from './zip.ts';

/** A hit of a search. */
export interface HubSkill {
  /** `owner/slug`, or the slug alone where the hub does not say whose it is: what `fetch` takes. */
  readonly slug: string;
  readonly title: string;
  readonly summary: string;
  readonly version: string | null;
}

/** A version that can be asked for. */
export interface HubVersion {
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly changelog: string;
}

/** A skill as the hub gave it, after the hub itself vouched for it. */
export interface HubFetched {
  readonly bundle: SkillBundle;
  readonly version: string;
  /** Set when the hub handed over to a repository. */
  readonly commit: { readonly url: string; readonly commit: string; readonly path: string } | null;
  /** sha256 of the archive; null for a repository. */
  readonly archive: string | null;
  readonly publisher: string | null;
  readonly page: string | null;
}

/** A hub that speaks ClawHub's HTTP API. Every method throws UserError for what the hub refuses or does not have. */
export interface ClawHub {
  /** Best first. */
  search(query: string, limit: number, signal: AbortSignal): Promise<readonly HubSkill[]>;
  /** Newest first. */
  versions(slug: string, signal: AbortSignal): Promise<readonly HubVersion[]>;
  /** Which version has this fingerprint, and which is the latest; null: none. */
  resolve(
    slug: string,
    fingerprint: string,
    signal: AbortSignal,
  ): Promise<{ readonly match: string | null; readonly latest: string | null }>;
  /** `version` null: the latest. Refuses (`permission-denied`) what the hub's own verification does not call ok. */
  fetch(slug: string, version: string | null, signal: AbortSignal): Promise<HubFetched>;
}

/** What a client of a hub is made of. */
export interface ClawHubParts extends HubParts {
  readonly limits: ImportLimits;
  readonly fetchCommit: FetchCommit;
  /** Where repositories that the hub names lie; https://github.com/ if not given. */
  readonly repositories?: string;
}

const SEARCH = z.object({
  results: z.array(
    z.object({
      slug: z.string(),
      displayName: z.string().nullish(),
      summary: z.string().nullish(),
      version: z.string().nullish(),
      ownerHandle: z.string().nullish(),
    }),
  ),
});
const VERSIONS = z.object({
  items: z.array(z.object({ version: z.string(), createdAt: z.number().catch(0), changelog: z.string().catch('') })),
});
const NAMED = z.object({ version: z.string() }).nullish();
const RESOLVED = z.object({ match: NAMED, latestVersion: NAMED });
const VERIFIED = z.object({
  ok: z.boolean(),
  version: z.string(),
  reasons: z.array(z.string()).catch([]),
  publisherHandle: z.string().nullish(),
  pageUrl: z.string().nullish(),
});
const HANDOFF = z.object({
  repo: z.string().regex(/^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9_][\w.-]*$/),
  commit: z.string().regex(/^[0-9a-f]{40}$/),
  path: z.string(),
});

/** A client of the hub at `baseUrl`. */
export const createClawHub = (parts: ClawHubParts): ClawHub => {
  const get = createHubGet(parts);
  const base = new URL(parts.baseUrl);
  const json = async <T>(schema: z.ZodType<T>, answer: HubAnswer): Promise<T> => parseAnswer(schema, answer, base);
  return {
    search: async (query, limit, signal) => {
      const answer = await get('/api/v1/search', { q: query, limit: String(limit) }, signal);
      if (answer === null) return [];
      const { results } = await json(SEARCH, answer);
      return results.slice(0, limit).map((one) => ({
        slug: one.ownerHandle ? `${one.ownerHandle}/${one.slug}` : one.slug,
        title: oneLine(one.displayName ?? one.slug, 100),
        summary: oneLine(one.summary ?? '', 300),
        version: one.version ?? null,
      }));
    },
    versions: async (slug, signal) => {
      const ref = parseSlug(slug);
      const path = `/api/v1/skills/${encodeURIComponent(ref.slug)}/versions`;
      const answer = await get(path, { limit: '50', ownerHandle: ref.owner }, signal);
      return (await json(VERSIONS, found(answer, base, slug))).items;
    },
    resolve: async (slug, fingerprint, signal) => {
      const ref = parseSlug(slug);
      const query = { slug: ref.slug, hash: fingerprint, ownerHandle: ref.owner };
      const resolved = await json(RESOLVED, found(await get('/api/v1/resolve', query, signal), base, slug));
      return { match: resolved.match?.version ?? null, latest: resolved.latestVersion?.version ?? null };
    },
    fetch: (slug, version, signal) => fetchVerified({ parts, get, base }, slug, version, signal),
  };
};

interface Hub {
  readonly parts: ClawHubParts;
  readonly get: HubGet;
  readonly base: URL;
}

const parseSlug = (text: string): { readonly owner: string | null; readonly slug: string } => {
  const [, owner, slug] = /^(?:@?([A-Za-z0-9][\w.-]{0,99})\/)?([A-Za-z0-9][\w.-]{0,99})$/.exec(text) ?? [];
  if (slug !== undefined) return { owner: owner ?? null, slug };
  throw new UserError(
    'bad-input',
    `${oneLine(JSON.stringify(text), 100)} is not the name of a skill on a hub: owner/name, or name.`,
  );
};

const found = (answer: HubAnswer | null, base: URL, slug: string): HubAnswer => {
  if (answer !== null) return answer;
  throw new UserError('not-found', `${base.host} has no skill ${oneLine(slug, 100)}.`);
};

const parseAnswer = <T>(schema: z.ZodType<T>, answer: HubAnswer, base: URL): T => {
  try {
    return schema.parse(JSON.parse(Buffer.from(answer.bytes).toString('utf8')));
  } catch (error) {
    const why = error instanceof z.ZodError ? (z.prettifyError(error).split('\n')[0] ?? '') : 'it is not JSON';
    throw badAnswer(base, oneLine(why, 200));
  }
};

const fetchVerified = async (
  hub: Hub,
  slug: string,
  version: string | null,
  signal: AbortSignal,
): Promise<HubFetched> => {
  const ref = parseSlug(slug);
  const path = `/api/v1/skills/${encodeURIComponent(ref.slug)}/verify`;
  const answer = found(await hub.get(path, { version, ownerHandle: ref.owner }, signal), hub.base, slug);
  const verified = parseAnswer(VERIFIED, answer, hub.base);
  if (!verified.ok) {
    const why = oneLine(verified.reasons.join('; '), 300) || 'it gives no reason';
    throw new UserError(
      'permission-denied',
      `${hub.base.host} does not vouch for ${oneLine(slug, 100)} ${verified.version}: ${why}. It was not fetched.`,
    );
  }
  // The version that was verified, not whatever is the latest a moment later.
  const query = { slug: ref.slug, version: verified.version, ownerHandle: ref.owner };
  const download = found(await hub.get('/api/v1/download', query, signal), hub.base, `${slug} ${verified.version}`);
  const about = {
    version: verified.version,
    publisher: verified.publisherHandle ?? null,
    page: verified.pageUrl ?? null,
  };
  if (!download.type.includes('json')) {
    return { ...about, commit: null, archive: sha256(download.bytes), bundle: await unpack(hub, ref.slug, download) };
  }
  return { ...about, archive: null, ...(await handOver(hub, ref.slug, download, signal)) };
};

const unpack = async (hub: Hub, slug: string, download: HubAnswer): Promise<SkillBundle> => {
  const promised = download.header('x-clawhub-artifact-sha256');
  if (promised !== null && promised.toLowerCase() !== sha256(download.bytes))
    throw badAnswer(hub.base, 'the archive is not the one that its hash names');
  const files = await readZip(download.bytes, hub.parts.limits);
  return makeBundle(skillNameOf(slug), withoutTop(files), [], hub.parts.limits);
};

/** An archive may hold the skill in a folder of its own. */
const withoutTop = (files: readonly BundleFile[]): readonly BundleFile[] => {
  const isTop = ({ path }: BundleFile): boolean => /^skills?\.md$/i.test(path);
  const top = files[0]?.path.split('/')[0] ?? '';
  if (files.some(isTop) || !files.every(({ path }) => path.startsWith(`${top}/`))) return files;
  return files.map((file) => ({ ...file, path: file.path.slice(top.length + 1) }));
};

const handOver = async (
  hub: Hub,
  slug: string,
  download: HubAnswer,
  signal: AbortSignal,
): Promise<Pick<HubFetched, 'bundle' | 'commit'>> => {
  const { repo, commit, path } = parseAnswer(HANDOFF, download, hub.base);
  const url = `${hub.parts.repositories ?? 'https://github.com/'}${repo}`;
  const fetched = await fetchFromGit(hub.parts.fetchCommit, { url, ref: commit, path }, hub.parts.limits, signal);
  if (fetched.kind === 'choose')
    throw badAnswer(hub.base, `${oneLine(path, 100) || 'the path'} names no skill in ${repo}`);
  const { bundle } = fetched;
  const named = makeBundle(skillNameOf(slug), bundle.files, bundle.leftOut, hub.parts.limits);
  return { bundle: named, commit: { url, commit: fetched.commit, path: fetched.path } };
};
