// A webhook receiver: keeps what it got and checks signatures as a careful receiver would.
import {createHmac, timingSafeEqual} from 'node:crypto';
import http from 'node:http';

export class Receiver {
  deliveries = [];
  answers = [];  // {status, headers} or {hang: true} for the next deliveries; empty = 204

  static async start({key} = {}) {
    const receiver = new Receiver();
    receiver.server_ = http.createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const body = Buffer.concat(chunks);
      receiver.deliveries.push({
        method: request.method, path: request.url, headers: request.headers, text: body.toString('utf8'),
        genuine: key === undefined ? null : genuine(key, body, request.headers['x-signature']),
      });
      const {status = 204, headers = {}, hang = false} = receiver.answers.shift() ?? {};
      if (!hang) response.writeHead(status, headers).end();
    });
    await new Promise((resolve) => { receiver.server_.listen(0, '127.0.0.1', resolve); });
    receiver.url = `http://127.0.0.1:${receiver.server_.address().port}/promotions`;
    return receiver;
  }

  async stop() {
    const closed = new Promise((resolve) => { this.server_.close(resolve); });
    this.server_.closeAllConnections();
    await closed;
  }
}

function genuine(key, body, header = '') {
  const expected = Buffer.from(`sha256=${createHmac('sha256', key).update(body).digest('hex')}`);
  const given = Buffer.from(header);
  return given.length === expected.length && timingSafeEqual(given, expected);
}
