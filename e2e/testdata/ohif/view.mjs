// Opens OHIF in a browser as a doctor does: view.mjs BASE CT-STUDY ECG-STUDY FOLDER. BASE serves OHIF and the hub from one
// origin. It fails when the study list is empty, a CT series does not show or does not scroll, or an ECG does not open, and
// leaves pictures of the screen in FOLDER.
import {createRequire} from 'node:module';
const require = createRequire(process.env.CONCORD_TEST_NODE + '/package.json');
const puppeteer = require('puppeteer-core');

const [base, ct, ecg, folder] = process.argv.slice(2);
const browser = await puppeteer.launch({
	executablePath: process.env.CONCORD_TEST_CHROMIUM, headless: true,
	args: ['--no-sandbox', '--disable-dev-shm-usage', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist', '--window-size=1400,900'],
});
let failed = false;
const check = (ok, what) => { if (!ok) { failed = true; console.log('FAILED: ' + what); } };
const page = await browser.newPage();
await page.setViewport({width: 1400, height: 900});
const refused = [];
page.on('response', r => { if (r.status() >= 400 && r.url().includes('/dicom-web')) refused.push(r.status() + ' ' + r.url()); });
if (process.env.VERBOSE) {
	page.on('console', m => console.log('console', m.type(), m.text().slice(0, 300)));
	page.on('request', r => { if (r.url().includes('/dicom-web')) console.log(r.method(), r.url(), r.headers().accept); });
}
const pause = ms => new Promise(done => setTimeout(done, ms));
const shot = name => page.screenshot({path: `${folder}/${name}.png`});
// text waits until the page says it.
const text = async (what, ms = 45000) => page.waitForFunction(w => document.body && document.body.innerText.includes(w), {timeout: ms}, what).then(() => true, () => false);
// picture is a sum over the pixels of the largest canvas, 0 while there is none.
const picture = () => page.evaluate(() => {
	const all = [...document.querySelectorAll('canvas')].sort((a, b) => b.width * b.height - a.width * a.height);
	if (!all.length || !all[0].width) return 0;
	const copy = document.createElement('canvas');
	copy.width = 256; copy.height = 256;
	const to = copy.getContext('2d');
	to.drawImage(all[0], 0, 0, 256, 256);
	return to.getImageData(0, 0, 256, 256).data.reduce((sum, v, i) => i % 4 === 3 ? sum : (sum * 31 + v) % 4294967291, 7);
});
// lit tells whether the largest canvas shows more than darkness.
const lit = () => page.evaluate(() => {
	const all = [...document.querySelectorAll('canvas')].sort((a, b) => b.width * b.height - a.width * a.height);
	if (!all.length || !all[0].width) return false;
	const copy = document.createElement('canvas');
	copy.width = all[0].width; copy.height = all[0].height;
	const to = copy.getContext('2d');
	to.drawImage(all[0], 0, 0);
	const pixels = to.getImageData(0, 0, copy.width, copy.height).data;
	let bright = 0;
	for (let i = 0; i < pixels.length; i += 4) bright += pixels[i] > 128;
	return bright > 1000;
});
const settled = async () => {
	let last = await picture();
	for (let same = 0, i = 0; same < 4 && i < 120; i++) {
		await pause(250);
		const now = await picture();
		same = now === last && now !== 0 ? same + 1 : 0;
		last = now;
	}
	return last;
};

try {
	await page.goto(base + '/', {waitUntil: 'domcontentloaded'});
	check(await text('CT'), 'the study list shows no CT');
	check(await text('ECG'), 'the study list shows no ECG');
	await pause(1000);
	await shot('list');

	await page.goto(`${base}/viewer?StudyInstanceUIDs=${ct}`, {waitUntil: 'domcontentloaded'});
	await page.waitForSelector('canvas', {timeout: 60000});
	await text('W:', 60000);
	const first = await settled();
	await shot('ct-first');
	const box = await (await page.$('.cornerstone-viewport-element, .viewport-element, canvas')).boundingBox();
	await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
	for (let i = 0; i < 8; i++) {
		await page.mouse.wheel({deltaY: 100});
		await pause(150);
	}
	const later = await settled();
	await shot('ct-scrolled');
	check(await lit(), 'the CT shows nothing');
	check(first !== later, 'the CT does not scroll');

	await page.goto(`${base}/viewer?StudyInstanceUIDs=${ecg}`, {waitUntil: 'domcontentloaded'});
	check(await text('ECG', 60000), 'the ECG is not named');
	for (let i = 0; i < 60 && !await lit(); i++) await pause(500);
	check(await lit(), 'no ECG is drawn');
	await shot('ecg');
	check(refused.length === 0, 'the hub refused: ' + refused.slice(0, 5).join(', '));
} catch (e) {
	await shot('error');
	check(false, e.stack);
} finally {
	await browser.close();
}
process.exit(failed ? 1 : 0);
