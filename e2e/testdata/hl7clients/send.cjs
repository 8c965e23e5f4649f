// node-hl7-client as a laboratory's system: sends the messages of files over one connection.
//
//   node send.cjs HOST PORT FILE...
//
// It prints "FILE CODE CONTROL" for each answer, as MSA says it, and "FILE unsent REASON" for what the client itself does
// not send: it checks messages by rules of its own, and writes UTF-8 only.
const fs = require('node:fs');
const path = require('node:path');
const { Client, Message } = require(path.join(process.env.CONCORD_TEST_NODE, 'node_modules', 'node-hl7-client'));

const [host, port, ...files] = process.argv.slice(2);

// read is a file as the client takes it: text, with CR at the ends of segments.
function read(file) {
  const bytes = fs.readFileSync(file);
  const text = bytes.toString('utf8');
  if (!Buffer.from(text, 'utf8').equals(bytes)) throw new Error('the bytes are no UTF-8');
  return text.replace(/^\uFEFF/, '').replace(/\r\n|\n/g, '\r').replace(/\r+$/, '');
}

(async () => {
  let answered;
  const connection = new Client({ host }).createConnection({ port: Number(port) }, async (response) => {
    const m = response.getMessage();
    answered(`${m.get('MSA.1').toString()} ${m.get('MSA.2').toString()}`);
  });
  connection.on('error', (e) => { console.error(e); process.exitCode = 1; });
  for (const file of files) {
    let line;
    try {
      const answer = new Promise((resolve) => { answered = resolve; });
      const message = new Message({ text: read(file) });
      await connection.sendMessage(message);
      let timer;
      const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error('no answer was understood')), 10000); });
      line = await Promise.race([answer, late]).finally(() => clearTimeout(timer));
    } catch (e) {
      line = `unsent ${String(e.message).split('\n')[0]}`;
    }
    console.log(`${path.basename(file)} ${line}`);
  }
  await connection.close();
  process.exit();
})().catch((e) => { console.error(e); process.exit(1); });
