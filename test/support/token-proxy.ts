import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A proxy on loopback that adds a bearer token, for a client that cannot send one. Everything else passes as it is. */
export const startTokenProxy = async (
  target: URL,
  token: string,
): Promise<{ readonly url: string; close(): Promise<void> }> => {
  const server = createServer((req, res) => {
    const { port } = server.address() as AddressInfo;
    const swap = (text: string | undefined): string | undefined =>
      text?.replace(new RegExp(`(127\\.0\\.0\\.1|localhost):${port}$`), `$1:${target.port}`);
    const headers = { ...req.headers, authorization: `Bearer ${token}`, host: swap(req.headers.host) };
    if (req.headers.origin !== undefined) headers.origin = swap(req.headers.origin);
    const onward = request(
      { host: target.hostname, port: target.port, path: req.url, method: req.method, headers },
      (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(res);
      },
    );
    onward.on('error', () => res.destroy());
    res.on('close', () => onward.destroy());
    req.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
};
