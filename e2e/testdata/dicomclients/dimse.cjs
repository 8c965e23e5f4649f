// dcmjs-dimse as a workstation: finds a study and gets its instances.
//
//   node dimse.cjs HOST PORT HUB_AET OUR_AET STUDY SYNTAX CLASS INSTANCES
//
// It prints nothing when as many instances of the study came as there are, each under its own UID.
const path = require('node:path');
const modules = path.join(process.env.CONCORD_TEST_NODE, 'node_modules');
const { Client, Dataset, requests, responses, constants } = require(path.join(modules, 'dcmjs-dimse'));

const [host, port, hub, ours, study, syntax, sopClass, instances] = process.argv.slice(2);
const { CEchoRequest, CFindRequest, CGetRequest } = requests;
const { Status } = constants;

function run(request, ...more) {
  return new Promise((resolve, reject) => {
    const client = new Client();
    client.addRequest(request);
    more.forEach((f) => f(client, request));
    client.on('networkError', reject);
    client.on('closed', resolve);
    client.send(host, Number(port), ours, hub);
  });
}

(async () => {
  const fail = (text) => { console.log(text); process.exitCode = 1; };
  let status;
  const echo = new CEchoRequest();
  echo.on('response', (r) => { status = r.getStatus(); });
  await run(echo);
  if (status !== Status.Success) fail(`C-ECHO ends with ${status}`);

  const rows = [];
  const find = CFindRequest.createStudyFindRequest({ StudyInstanceUID: study, PatientID: '', NumberOfStudyRelatedInstances: '' });
  find.on('response', (r) => {
    if (r.getStatus() === Status.Pending) rows.push(r.getDataset().getElement('StudyInstanceUID'));
    status = r.getStatus();
  });
  await run(find);
  if (status !== Status.Success || rows.length !== 1 || rows[0] !== study) fail(`C-FIND ends with ${status} and ${rows}`);

  const got = new Set();
  const get = CGetRequest.createStudyGetRequest(study);
  get.on('response', (r) => { status = r.getStatus(); });
  await run(get, (client) => {
    client.on('cStoreRequest', (request, callback) => {
      got.add(request.getDataset().getElement('SOPInstanceUID'));
      const response = responses.CStoreResponse.fromRequest(request);
      response.setStatus(Status.Success);
      callback(response);
    });
  });
  if (got.size !== Number(instances)) fail(`C-GET ends with ${status} and brought ${got.size} of ${instances} instances`);
})();
