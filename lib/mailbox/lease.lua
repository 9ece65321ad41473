-- SPDX-License-Identifier: MIT
--
-- Gives the program that asks the entries of the webhook that are due, for some time: after that they
-- are due again, unless the program has removed them or put them off. Layouts: KEYS.md.
-- KEYS  1 letterbox:unheard
-- ARGV  1 now (ms)  2 most entries given  3 until when they are this program's (ms)
--       4 most entries kept  5 most entries removed at a time, if there are more  6 life of the key (ms)
-- Out   {entries kept, entries removed because there were too many, entry, entry, ...}
local call = redis.call
local kept = call('ZCARD', KEYS[1])
local removed = math.min(math.max(kept - ARGV[4], 0), ARGV[5])
if removed > 0 then call('ZREMRANGEBYRANK', KEYS[1], 0, removed - 1) end
local out = {kept - removed, removed}
for _, entry in ipairs(call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])) do
  -- `USER ID`, once it was tried `USER ID TRIES`. Anything else was put there by hand.
  local message, tries = string.match(entry, '^(%S+ %d+%-%d+) ?(%d?)$')
  call('ZREM', KEYS[1], entry)
  if message then
    entry = string.format('%s %d', message, (tries == '' and 0 or tries) + 1)
    call('ZADD', KEYS[1], ARGV[3], entry)
    out[#out + 1] = entry
  end
end
call('PEXPIRE', KEYS[1], ARGV[6])
return out
