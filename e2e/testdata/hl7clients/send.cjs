// node-hl7-client as a laboratory's system: sends the messages of files over one connection.
//
//   node send.cjs HOST PORT FILE...
//
// It prints "FILE CODE CONTROL" for each answer, as MSA says it.
const fs = require('node:fs');
const path = require('node:path');
const { Client, Message } = require(path.join(process.env.CONCORD_TEST_NODE, 'node_modules', 'node-hl7-client'));

const [host, port, ...files] = process.argv.slice(2);

(async () => {
  let answered;
  const connection = new Client({ host }).createConnection({ port: Number(port) }, async (response) => {
    const m = response.getMessage();
    answered(`${m.get('MSA.1').toString()} ${m.get('MSA.2').toString()}`);
  });
  connection.on('error', (e) => { console.error(e); process.exitCode = 1; });
  for (const file of files) {
    const answer = new Promise((resolve) => { answered = resolve; });
    const text = fs.readFileSync(file, 'utf8').replace(/\r\n|\n/g, '\r').replace(/\r+$/, '');
    await connection.sendMessage(new Message({ text }));
    console.log(`${path.basename(file)} ${await answer}`);
  }
  await connection.close();
  process.exit();
})().catch((e) => { console.error(e); process.exit(1); });
