// The cells of npm's mysql2. Usage and output are those of ../python/cells.py.
'use strict';
const assert = require('node:assert');
const { setTimeout: sleep } = require('node:timers/promises');
const mysql = require('mysql2/promise');

const [host, port, usersPort, tlsPort, name, ...asked] = process.argv.slice(2);
const password = process.env.VSTREAMD_CLIENTS_PASSWORD;
const SECONDS_MAX = 15;
const TLS = { rejectUnauthorized: false };

// Everything that was opened; a cell's connections end with it.
let opened = [];

async function connect(options = {}) {
  const connection = await mysql.createConnection({
    host, port: Number(port), user: 'ann', database: 'commerce', rowsAsArray: true, dateStrings: true,
    supportBigNumbers: true, bigNumberStrings: true, ...options,
  });
  // What a broken connection has to say, it says to the statement.
  connection.connection.on('error', () => {});
  opened.push(connection);
  return connection;
}

async function query(connection, text) {
  return (await connection.query(text))[0];
}

async function login(port, user, ssl) {
  const connection = await connect({ port: Number(port), user, password, ssl });
  assert.deepStrictEqual(await query(connection, 'SELECT USER()'), [[`${user}@${host}`]]);
  await connection.end();
}

async function cached() {
  await login(usersPort, `${name}_cached`, TLS);
  await login(usersPort, `${name}_cached`);
}

// The rows of an open statement, one promise each; an error or the end comes in their place.
function follow(statement) {
  const arrived = [];
  const waiting = [];
  const put = (item) => (waiting.length ? waiting.shift()(item) : arrived.push(item));
  statement.on('result', put).on('error', put).on('end', () => put('end'));
  return () => (arrived.length ? arrived.shift() : new Promise((resolve) => waiting.push(resolve)));
}

// A stream that has shown the row of the copy and one that was written later.
async function stream(table, prepared) {
  const writer = await connect();
  await query(writer, `CREATE TABLE ${table} (id INT PRIMARY KEY, v TEXT)`);
  await query(writer, `INSERT INTO ${table} VALUES (1, 'a')`);
  const reader = await connect();
  await query(reader, 'SET workload = OLAP');
  const plain = reader.connection;
  const text = `VSTREAM * FROM ${table}`;
  const next = follow(prepared ? plain.execute(text) : plain.query(text));
  assert.deepStrictEqual(await next(), ['+', 1, 'a']);
  await query(writer, `INSERT INTO ${table} VALUES (2, 'b')`);
  assert.deepStrictEqual(await next(), ['+', 2, 'b']);
  return { writer, reader, next };
}

// The driver's way to leave, and to cancel, is one: destroy() drops the connection.
async function endless(table, prepared) {
  const { writer, reader } = await stream(table, prepared);
  const id = reader.threadId;
  reader.destroy();
  const end = Date.now() + SECONDS_MAX * 1000;
  while ((await query(writer, 'SHOW PROCESSLIST')).some((row) => Number(row[0]) === id)) {
    assert(Date.now() < end, 'the server did not notice the end');
    await sleep(50);
  }
}

async function limit() {
  const connection = await connect();
  await query(connection, `CREATE TABLE limit_${name} (id INT PRIMARY KEY)`);
  await query(connection, `INSERT INTO limit_${name} VALUES (1), (2), (3)`);
  await query(connection, 'SET workload = OLAP');
  const rows = await query(connection, `VSTREAM * FROM limit_${name} LIMIT 2`);
  assert.deepStrictEqual(rows, [['+', 1], ['+', 2]]);
  assert.deepStrictEqual(await query(connection, 'SELECT 42'), [['42']]);
}

async function edges() {
  const connection = await connect();
  await query(connection, `CREATE TABLE edges_${name} (id INT PRIMARY KEY, v LONGTEXT)`);
  for (let payload = 2 ** 24 - 2; payload <= 2 ** 24 + 1; payload++) {
    const head = `INSERT INTO edges_${name} VALUES (${payload}, '`;
    // What is sent is the command's byte, the text and its end; what comes is four bytes of length
    // and the value. Just below the edge the driver ends a statement with a packet too many
    // (matrix.py says more): it writes a shorter one there and reads the edge all the same.
    const fewer = payload < 2 ** 24 - 1 ? 8 : 0;
    const length = payload - 1 - head.length - 2 - fewer;
    await query(connection, `${head}${'a'.repeat(length)}')`);
    const more = 'b'.repeat(payload - 4 - length);
    const rows = await query(connection, `SELECT CONCAT(v, '${more}') FROM edges_${name} WHERE id = ${payload}`);
    assert.strictEqual(rows[0][0].length, payload - 4);
    assert.strictEqual(rows[0][0].indexOf('b'), length);
  }
  await query(connection, `DROP TABLE edges_${name}`);
}

async function params() {
  const connection = await connect();
  await query(connection, `CREATE TABLE params_${name} (id INT PRIMARY KEY, i BIGINT, u BIGINT UNSIGNED,
    d DOUBLE, n DECIMAL(20,5), s TEXT, b BLOB, x INT, da DATE, dt DATETIME(6), ti TIME(6))`);
  // The driver sends numbers as doubles, dates as DATETIME with milliseconds, all else as text.
  await connection.execute(`INSERT INTO params_${name} VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, [
    '-9223372036854775808', 18446744073709551615n, 1.5, '12345.67890', 'it\'s "q" \\ é',
    Buffer.from([0, 255, 39]), null, '2026-11-22', new Date(2026, 10, 22, 12, 34, 56, 789), '12:34:56.789',
  ]);
  const shown = [
    '-9223372036854775808', '18446744073709551615', 1.5, '12345.67890', 'it\'s "q" \\ é', '00FF27', null,
    '2026-11-22', '2026-11-22 12:34:56.789000', '12:34:56.789000',
  ];
  const text = `SELECT i, u, d, n, s, HEX(b), x, da, dt, ti FROM params_${name}`;
  assert.deepStrictEqual(await query(connection, text), [shown]);
  // The driver itself makes the text of a binary TIME, and leaves zeros at its end away.
  shown[9] = '12:34:56.789';
  assert.deepStrictEqual((await connection.execute(`${text} WHERE id = ?`, [1]))[0], [shown]);
}

async function forgets(connection, renew) {
  await query(connection, 'SET @kept = 1');
  await renew();
  assert.deepStrictEqual(await query(connection, 'SELECT @kept'), [[null]]);
}

async function reset() {
  const connection = await connect();
  await forgets(connection, () => connection.reset());
}

async function user() {
  const connection = await connect({ port: Number(usersPort), user: `${name}_user`, password, ssl: TLS });
  await forgets(connection, () => connection.changeUser({ user: `${name}_native`, password, database: 'commerce' }));
  assert.deepStrictEqual(await query(connection, 'SELECT USER()'), [[`${name}_native@${host}`]]);
}

async function kill() {
  const { writer, reader, next } = await stream(`kill_${name}`, false);
  await query(writer, `KILL QUERY ${reader.threadId}`);
  assert.strictEqual((await next()).errno, 1317);
  assert.deepStrictEqual(await query(reader, 'SELECT 42'), [['42']]);
}

const CELLS = {
  tls: () => login(tlsPort, `${name}_tls`, TLS),
  rsa: () => login(usersPort, `${name}_rsa`),
  cached,
  native: () => login(usersPort, `${name}_native`),
  plain: async () => assert.deepStrictEqual(await query(await connect(), 'SELECT USER()'), [[`ann@${host}`]]),
  text: () => endless(`text_${name}`, false),
  binary: () => endless(`binary_${name}`, true),
  limit,
  edges,
  params,
  reset,
  user,
  kill,
  cancel: () => endless(`cancel_${name}`, false),
};

async function main() {
  for (const cell of asked) {
    try {
      await CELLS[cell]();
      console.log(`${cell} PASS`);
    } catch (error) {
      console.log(`${cell} FAIL ${String(error).replace(/\s+/g, ' ').slice(0, 300)}`);
    }
    opened.forEach((connection) => connection.destroy());
    opened = [];
  }
  process.exit(0);
}

main();
