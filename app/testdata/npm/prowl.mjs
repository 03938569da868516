// Asks as Lupovis' Node client does: axios with a base URL, with or without a slash at its
// end, a relative path, the address as it is, and the key in X-API-Key. What is no 2xx is an
// error whose response has the body.
import axios from 'axios'

async function ask(baseURL, key, ip) {
  const client = axios.create({ baseURL, headers: { 'X-API-Key': key } })
  try {
    return (await client.get(`live/GetIPReputation?ip=${ip}`)).data
  } catch (error) {
    return [error.response.status, error.response.data.message]
  }
}

const { PICKET_HTTP_URL: url, PICKET_KEY: key } = process.env
const out = {}
for (const [name, base] of [['base', url], ['base/', url + '/']]) {
  const bad = await ask(base, key, '51.89.153.112')
  out[name] = {
    bad: [bad.ip, bad.ttps],
    clean: await ask(base, key, '8.8.8.8'),
    ipv6: await ask(base, key, '2a00::1'),
    private: await ask(base, key, '10.0.0.1'),
    invalid: await ask(base, key, 'invalid'),
    empty: await ask(base, key, ''),
    'wrong key': await ask(base, 'pk_wrong', '8.8.8.8'),
  }
}
console.log(JSON.stringify(out))
