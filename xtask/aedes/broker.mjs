// Aedes as it comes, with room for what is under way: `node broker.mjs TCP-PORT WEBSOCKET-PORT`.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { Aedes } from 'aedes'
import { createWebSocketStream, WebSocketServer } from 'ws'

const [tcp, webSocket] = process.argv.slice(2)
if (tcp === '--version') {
  const file = new URL('node_modules/aedes/package.json', import.meta.url)
  console.log(JSON.parse(readFileSync(file, 'utf8')).version)
  process.exit()
}

const broker = await Aedes.createBroker({ queueLimit: 1_000_000 })
createTcpServer({ noDelay: true }, broker.handle).listen(Number(tcp), '127.0.0.1')
const http = createServer()
const sockets = new WebSocketServer({ server: http, handleProtocols: () => 'mqtt', perMessageDeflate: false })
sockets.on('connection', (socket, request) => {
  request.socket.setNoDelay(true)
  broker.handle(createWebSocketStream(socket), request)
})
http.listen(Number(webSocket), '127.0.0.1')
