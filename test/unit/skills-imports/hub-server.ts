import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One skill of the hub; what is left out is as a well-behaved hub has it. */
export interface HubEntry {
  readonly owner: string;
  readonly versions: Readonly<
    Record<string, Uint8Array | { readonly repo: string; readonly commit: string; readonly path: string }>
  >;
  readonly latest: string;
  readonly ok?: boolean;
  readonly reasons?: readonly string[];
  readonly fingerprints?: Readonly<Record<string, string>>;
}

/** Takes over a request; false: the hub answers as usual. */
export type Intercept = (request: IncomingMessage, response: ServerResponse) => boolean;

/** A local server that speaks ClawHub's documented HTTP API. */
export interface HubServer {
  readonly url: string;
  readonly requests: string[];
  skills: Record<string, HubEntry>;
  intercept: Intercept;
  close(): Promise<void>;
}

export const startHub = async (): Promise<HubServer> => {
  const hub = {
    requests: [] as string[],
    skills: {} as Record<string, HubEntry>,
    intercept: (() => false) as Intercept,
  };
  const server = createServer((request, response) => {
    hub.requests.push(request.url ?? '');
    if (!hub.intercept(request, response)) answer(hub.skills, new URL(request.url ?? '/', 'http://x'), response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(hub, {
    url,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
};

const send = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
};

const missing = (response: ServerResponse): void => {
  response.writeHead(404, { 'content-type': 'text/plain' });
  response.end('Skill not found');
};

const answer = (skills: Readonly<Record<string, HubEntry>>, url: URL, response: ServerResponse): void => {
  const query = url.searchParams;
  const route = /^\/api\/v1\/(search|resolve|download)$/.exec(url.pathname)?.[1];
  const [, named, verb] = /^\/api\/v1\/skills\/([^/]+)\/(versions|verify)$/.exec(url.pathname) ?? [];
  if (route === 'search') return search(skills, query, response);
  const slug = named === undefined ? query.get('slug') : decodeURIComponent(named);
  const skill = skills[slug ?? ''];
  const owner = query.get('ownerHandle');
  if (!skill || (owner !== null && owner !== skill.owner)) return missing(response);
  const version = query.get('version') ?? skill.latest;
  if (verb === 'versions') {
    const items = Object.keys(skill.versions).map((one) => ({ version: one, createdAt: 1, changelog: `Made ${one}` }));
    return send(response, 200, { items, nextCursor: null });
  }
  if (route === 'resolve') {
    const match = skill.fingerprints?.[query.get('hash') ?? ''];
    return send(response, 200, {
      slug,
      match: match ? { version: match } : null,
      latestVersion: { version: skill.latest },
    });
  }
  const content = skill.versions[version];
  if (content === undefined) return missing(response);
  if (verb === 'verify') return send(response, 200, verification(slug ?? '', version, skill));
  download(response, content);
};

const search = (skills: Readonly<Record<string, HubEntry>>, query: URLSearchParams, response: ServerResponse): void => {
  const results = Object.entries(skills)
    .filter(([slug]) => slug.includes(query.get('q') ?? ''))
    .slice(0, Number(query.get('limit') ?? 10))
    .map(([slug, { owner, latest }]) => ({
      score: 0.5,
      slug,
      displayName: slug.toUpperCase(),
      summary: `About ${slug}`,
      version: latest,
      ownerHandle: owner,
      updatedAt: 1,
    }));
  send(response, 200, { results });
};

const verification = (slug: string, version: string, skill: HubEntry) => ({
  schema: 'clawhub.skill.verify.v1',
  ok: skill.ok ?? true,
  decision: skill.ok === false ? 'fail' : 'pass',
  reasons: skill.reasons ?? [],
  slug,
  displayName: slug,
  pageUrl: `https://clawhub.ai/${skill.owner}/${slug}`,
  publisherHandle: skill.owner,
  publisherDisplayName: null,
  publisherProfileUrl: null,
  version,
  resolvedFrom: 'latest',
  tag: null,
  createdAt: 1,
  card: {},
  artifact: {},
  provenance: {},
  security: { status: 'clean' },
  signature: {},
});

const download = (response: ServerResponse, content: HubEntry['versions'][string]): void => {
  if (content instanceof Uint8Array) {
    response.writeHead(200, { 'content-type': 'application/zip' });
    response.end(content);
    return;
  }
  const archiveUrl = `https://codeload.github.com/${content.repo}/zip/${content.commit}`;
  send(response, 200, { sourceRef: 'public-github', ...content, contentHash: 'f'.repeat(64), archiveUrl });
};
