// Talks over a local socket, or a pipe on Windows, with nothing but Node's own modules net and http.
//
//     node net.js ROLE NAME
//
// A line on the standard output tells each step. It ends by itself, after one connection.
'use strict';
const http = require('http');
const net = require('net');

const [task, name] = process.argv.slice(2);
const megabyte = Buffer.alloc(1 << 20, 'a megabyte of this. ');
const say = (line) => process.stdout.write(line + '\n');

// Calls back with all that comes before the end.
function collect(stream, done) {
  const pieces = [];
  stream.on('data', (piece) => pieces.push(piece));
  stream.on('end', () => done(Buffer.concat(pieces)));
}

// Listens for one connection.
function listen(accepted) {
  const server = net.createServer({ allowHalfOpen: true }, (connection) => {
    server.close();
    accepted(connection);
  });
  server.listen(name, () => say('listening'));
}

const tasks = {
  // Echoes until the end, and then ends, too.
  'echo'() {
    listen((connection) => {
      connection.on('end', () => say('ended'));
      connection.pipe(connection);
    });
  },
  // Sends a megabyte and ends.
  'source'() {
    listen((connection) => {
      connection.on('close', () => say('closed'));
      connection.resume();
      connection.end(megabyte);
    });
  },
  // Connects, sends a megabyte, and wants it back while the connection is open; then waits for the other side to end.
  'client'() {
    const connection = net.connect({ path: name, allowHalfOpen: true }, () => say('connected'));
    let length = 0;
    const pieces = [];
    connection.on('data', (piece) => {
      pieces.push(piece);
      length += piece.length;
      if (length === megabyte.length) say(Buffer.concat(pieces).equals(megabyte) ? 'same' : 'different');
    });
    connection.on('end', () => {
      say('ended');
      connection.end();
    });
    connection.write(megabyte);
  },
  // Connects, sends a megabyte and ends, and wants it back from who has seen the end. Not on Windows, where a pipe ends
  // both ways at once.
  'half'() {
    const connection = net.connect({ path: name, allowHalfOpen: true }, () => say('connected'));
    collect(connection, (got) => say(got.equals(megabyte) ? 'same' : 'different'));
    connection.end(megabyte);
  },
  // Connects, and says which error it gets.
  'error'() {
    net.connect({ path: name }).on('error', (error) => say(error.code));
  },
  'http server'() {
    const server = http.createServer({ keepAliveTimeout: 1 }, (request, response) => {
      collect(request, (body) => {
        response.end(`${request.method} ${request.url} ${body.length}`);
        server.close();
      });
    });
    server.listen(name, () => say('listening'));
  },
  'http client'() {
    // Kept alive, since Node ends a request with an empty write, and fails if the server has answered and closed by then.
    const agent = new http.Agent({ keepAlive: true });
    const request = http.request({ socketPath: name, method: 'POST', path: '/path', agent }, (response) => {
      collect(response, (body) => {
        say(`${response.statusCode} ${body}`);
        agent.destroy();
      });
    });
    request.end(megabyte);
  },
};

tasks[task]();
