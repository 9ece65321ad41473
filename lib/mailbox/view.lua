-- SPDX-License-Identifier: MIT
--
-- Looks at a mailbox and changes nothing. Layouts: KEYS.md.
-- KEYS  1 base  2 unacked  3 mailbox  4 clients
-- ARGV  1 now (ms)  2 life of a client (ms)
-- Out   {epoch, oldest seq or 0, newest seq, queued, {client, line, client, line, ...}, forks as in
--       base}; what has expired or every live client has acknowledged is not counted, and is not the
--       oldest
local now = tonumber(ARGV[1])
local record = redis.call('GET', KEYS[1])
local clients = redis.call('HGETALL', KEYS[4])
local epoch, base, forks = '0', 0, ''
if record then
  local b
  epoch, b = string.match(record, '^(%d+) (%d+)')
  base = tonumber(b)
  forks = string.match(record, '<[<:%d]*') or ''
end
if epoch == '0' then return {'0', '0', '0', 0, clients, ''} end

local length = redis.call('LLEN', KEYS[2])
local least
for i = 2, #clients, 2 do
  local e, s, seen, parked = string.match(clients[i], '^(%d+) (%d+) (%d+) (%d+)')
  if tonumber(seen) + tonumber(ARGV[2]) > now or tonumber(parked) > now then
    local most = string.match(forks, '<' .. e .. ':(%d+)')
    s = e == epoch and tonumber(s) or most and math.min(s, most) or base
    least = math.min(least or s, s)
  end
end
local queued, oldest = 0, 0
for i = math.max((least or base) - base, 0), length - 1 do
  local expires = tonumber(string.match(redis.call('LINDEX', KEYS[2], i), '^(%d+) '))
  if expires == 0 or expires > now then
    queued = queued + 1
    if oldest == 0 then oldest = base + i + 1 end
  end
end
return {epoch, string.format('%.0f', oldest), string.format('%.0f', base + length), queued, clients,
  forks}
