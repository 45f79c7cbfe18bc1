// JSON.parse and ajv's compiled validator on a body: node ajv.js SCHEMA BODY; prints the median and the 95th percentile of rounds, in µs.
const fs = require('fs');
const Ajv = require('ajv/dist/2020');
const formats = require('ajv-formats');
const [schema, body] = process.argv.slice(2, 4).map((f) => fs.readFileSync(f, 'utf8'));
const ajv = new Ajv({ strict: true });
formats(ajv);
const validate = ajv.compile(JSON.parse(schema));
const once = () => { if (!validate(JSON.parse(body))) throw new Error(JSON.stringify(validate.errors)); };
for (let i = 0; i < 50000; i++) once();
const rounds = [];
for (let r = 0; r < 4000; r++) {
	const start = process.hrtime.bigint();
	for (let i = 0; i < 20; i++) once();
	rounds.push(Number(process.hrtime.bigint() - start) / 20 / 1000);
}
rounds.sort((a, b) => a - b);
console.log(rounds[2000].toFixed(3), rounds[3800].toFixed(3), require('ajv/package.json').version, process.version);
