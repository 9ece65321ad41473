-- SPDX-License-Identifier: MIT
--
-- Erases what there is of a user apart from the mailbox and the groups, whatever its keys hold. Every
-- program is told to check the user again. For as long as a signed token may live it stays noted that
-- those of before are invalid. Layouts: KEYS.md.
-- KEYS  1 tokens  2 standing  3 presence  4 scheduled  5 collapse  6 letterbox:online
--       7 letterbox:names  8 letterbox:events  9 letterbox:schedule  10 notices  11 notice count
-- ARGV  1 user  2 now (ms)  3 how long a signed token may live (ms)  4 life of notices (ms)
--       5 most events kept (0: none are wanted)  6 life of the events (ms)
-- Out   {valid tokens, 1 if the user was locked or kicked, 1 if the user was online, scheduled messages}
local call, now = redis.call, tonumber(ARGV[2])
local user, notices, number_key, life = ARGV[1], KEYS[10], KEYS[11], ARGV[4]
-- Part: notice.lua
local valid = 0
for _, record in ipairs(redis.pcall('HVALS', KEYS[1])) do
  local expires = tonumber(string.match(record, '^%S+ %d+ (%d+)') or 0)
  if expires > now then valid = valid + 1 end
end
local standing = redis.pcall('HMGET', KEYS[2], 'locked', 'kicked')
local stood = (standing.err or standing[1] or standing[2]) and 1 or 0
local scheduled = 0
for _, id in ipairs(redis.pcall('HKEYS', KEYS[4])) do
  -- (The field '' is no message: it is the length of all of them.)
  if id ~= '' then
    scheduled = scheduled + 1
    redis.pcall('ZREM', KEYS[9], id)
  end
end

local till = tonumber(call('ZSCORE', KEYS[6], user) or 0)
if till > 0 and ARGV[5] ~= '0' then
  call('RPUSH', KEYS[8], string.format('offline %.0f %s', math.min(till, now), user))
  call('LTRIM', KEYS[8], -ARGV[5], -1)
  call('PEXPIRE', KEYS[8], ARGV[6])
end
call('ZREM', KEYS[6], user)
call('ZREM', KEYS[7], user)
call('UNLINK', unpack(KEYS, 1, 5))
call('HSET', KEYS[2], 'revoked', ARGV[2])
call('PEXPIRE', KEYS[2], ARGV[3])
return {valid, stood, till > now and 1 or 0, scheduled}
