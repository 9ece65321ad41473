-- SPDX-License-Identifier: MIT
--
-- Takes out who is online no more, and says which events are to be delivered next. Of several
-- programs one alone is told, and keeps this for as long as it asks again in time. Layouts: KEYS.md.
-- KEYS  1 letterbox:online  2 letterbox:names  3 letterbox:events  4 letterbox:sweeper
-- ARGV  1 now (ms)  2 who asks  3 how long its turn is (ms)  4 most users taken out at a time
--       5 how the keys of presence begin  6 most events told (0: none are wanted)
--       7 most events kept  8 life of the events (ms)
-- Out   {users taken out, events dropped, events that wait, event, event, ...}
local call = redis.call
local due = call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[4])
local wanted = tonumber(ARGV[6]) > 0
local waiting = wanted and call('LLEN', KEYS[3]) or 0
-- Nothing is written where there is nothing to do.
if #due == 0 and waiting == 0 then return {0, 0, 0} end

local sweeper = call('GET', KEYS[4])
if sweeper and sweeper ~= ARGV[2] then return {0, 0, waiting} end
call('SET', KEYS[4], ARGV[2], 'PX', ARGV[3])

local users, details, events = {}, {}, {}
for i = 1, #due, 2 do
  users[#users + 1] = due[i]
  details[#details + 1] = ARGV[5] .. due[i] .. '}'
  events[#events + 1] = 'offline ' .. string.format('%.0f', due[i + 1]) .. ' ' .. due[i]
end
local dropped = 0
if #users > 0 then
  if wanted then
    waiting = call('RPUSH', KEYS[3], unpack(events))
    call('PEXPIRE', KEYS[3], ARGV[8])
    dropped = math.max(waiting - tonumber(ARGV[7]), 0)
    if dropped > 0 then call('LTRIM', KEYS[3], dropped, -1) end
  end
  call('ZREM', KEYS[1], unpack(users))
  call('ZREM', KEYS[2], unpack(users))
  call('UNLINK', unpack(details))
end
local out = {#users, dropped, waiting - dropped}
if not wanted then return out end
for _, event in ipairs(call('LRANGE', KEYS[3], 0, tonumber(ARGV[6]) - 1)) do out[#out + 1] = event end
return out
