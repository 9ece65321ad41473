-- SPDX-License-Identifier: MIT
--
-- Notes clients that have polled, and their users as online. Layouts: KEYS.md.
-- KEYS  1 letterbox:online  2 letterbox:names  3 letterbox:events  4... presence:{user}, one per note
-- ARGV  1 now (ms)  2 most clients kept per user  3 most events kept (0: none are wanted)
--       4 life of the first three keys (ms), then five for each note:
--       user, client, when it polled (ms), until when it is online (ms), the client's line
-- Out   how many undelivered events were dropped because there were too many
local now, clients_most, events_most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local call = redis.call

-- Removes the lapsed clients, and then, if there are still too many, the one that lapses next.
local function shorten(key)
  local lines = call('HGETALL', key)
  local least, oldest, left = math.huge, nil, #lines / 2
  for i = 1, #lines, 2 do
    local till = tonumber(string.match(lines[i + 1], '^%d+ (%d+)') or 0)
    if till <= now then
      call('HDEL', key, lines[i])
      left = left - 1
    elseif till < least then
      least, oldest = till, lines[i]
    end
  end
  if left > clients_most then call('HDEL', key, oldest) end
end

local came = 0
for i = 4, #KEYS do
  local at = i * 5 - 15
  local user, client, last, till, line = unpack(ARGV, at, at + 4)
  local before = tonumber(call('ZSCORE', KEYS[1], user) or 0)
  if before == 0 then
    if events_most > 0 then
      call('RPUSH', KEYS[3], 'online ' .. last .. ' ' .. user)
      came = came + 1
    end
    call('ZADD', KEYS[2], 0, user)
  end
  local longer = tonumber(till) > before
  if longer then call('ZADD', KEYS[1], till, user) end
  local new = call('HSET', KEYS[i], client, line) == 1
  if new and call('HLEN', KEYS[i]) > clients_most then shorten(KEYS[i]) end
  if longer or new then
    -- A minute longer than needed: Redis' clock may be ahead. The sweep is sooner.
    local left = math.max(tonumber(till), before) - now + 60000
    call('PEXPIRE', KEYS[i], string.format('%.0f', left))
  end
end
call('PEXPIRE', KEYS[1], ARGV[4])
call('PEXPIRE', KEYS[2], ARGV[4])

if came == 0 then return 0 end
call('PEXPIRE', KEYS[3], ARGV[4])
local over = call('LLEN', KEYS[3]) - events_most
if over > 0 then call('LTRIM', KEYS[3], over, -1) end
return math.max(over, 0)
