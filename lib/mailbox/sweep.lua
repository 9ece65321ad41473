-- SPDX-License-Identifier: MIT
--
-- Removes users who are online no longer, and returns the events to be delivered next. Of several
-- programs only one gets them, and stays the one as long as it asks again in time. Layouts: KEYS.md.
-- KEYS  1 letterbox:online  2 letterbox:names  3 letterbox:events  4 letterbox:sweeper
-- ARGV  1 now (ms)  2 who asks  3 how long its turn is (ms)  4 most users removed at a time
--       5 most events returned (0: none are wanted)  6 most events kept  7 life of the events (ms)
-- Out   {users removed, events dropped, events that wait, event, event, ...}
local call = redis.call
local due = call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[4])
local wanted = tonumber(ARGV[5]) > 0
local waiting = wanted and call('LLEN', KEYS[3]) or 0
-- If there is nothing to do, nothing is written.
if #due == 0 and waiting == 0 then return {0, 0, 0} end

local sweeper = call('GET', KEYS[4])
if sweeper and sweeper ~= ARGV[2] then return {0, 0, waiting} end
call('SET', KEYS[4], ARGV[2], 'PX', ARGV[3])

-- Part: names.lua
local users, details, events = {}, {}, {}
for i = 1, #due, 2 do
  users[#users + 1] = due[i]
  details[#details + 1] = start .. 'presence:' .. open .. due[i] .. close
  events[#events + 1] = 'offline ' .. string.format('%.0f', due[i + 1]) .. ' ' .. due[i]
end
local dropped = 0
if #users > 0 then
  if wanted then
    waiting = call('RPUSH', KEYS[3], unpack(events))
    call('PEXPIRE', KEYS[3], ARGV[7])
    dropped = math.max(waiting - tonumber(ARGV[6]), 0)
    if dropped > 0 then call('LTRIM', KEYS[3], dropped, -1) end
  end
  call('ZREM', KEYS[1], unpack(users))
  call('ZREM', KEYS[2], unpack(users))
  call('UNLINK', unpack(details))
end
local out = {#users, dropped, waiting - dropped}
if not wanted then return out end
for _, event in ipairs(call('LRANGE', KEYS[3], 0, tonumber(ARGV[5]) - 1)) do out[#out + 1] = event end
return out
