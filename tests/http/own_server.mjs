// A server of a test's own: a partner, or what stands between two programs. It ends with the test.
import http from 'node:http';

/** answer gets (response, request, body as text). Gives the address. */
export async function startOwnServer(t, answer) {
  const server = http.createServer(async (req, res) => {
    const parts = [];
    try {
      for await (const part of req) parts.push(part);
    } catch {
      return; // whoever asked has gone
    }
    await answer(res, req, Buffer.concat(parts).toString());
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${server.address().port}`;
}
