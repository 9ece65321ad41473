-- SPDX-License-Identifier: MIT
--
-- What decides whether a request is admitted: the user's standing, and the token's record if the
-- token is valid. Notes that the token was used, if it was; this prolongs a sliding token, unless its
-- user is locked or was kicked since. Layouts: KEYS.md.
-- KEYS  1 tokens  2 standing
-- ARGV  1 hash of the token, empty: none  2 now (ms)  3 address it came from; empty: it was not used just now
-- Out   {locked, kicked, revoked, record}, each nil if there is none
local standing = redis.pcall('HMGET', KEYS[2], 'locked', 'kicked', 'revoked')
local record = ARGV[1] ~= '' and redis.pcall('HGET', KEYS[1], ARGV[1])
local met = standing.err and standing or type(record) == 'table' and record
if met then
  local first, last = 1, 2
  -- Part: met.lua
  return met
end
if record then
  local id, created, expires, slide, client, data =
    string.match(record, '^(%S+) (%d+) (%d+)(%+?%d*) %d+ (%S*) %S* (.*)$')
  -- (A record that can't be read counts as expired.)
  if (expires or 0) - ARGV[2] <= 0 then
    redis.call('HDEL', KEYS[1], ARGV[1])
    record = false
  elseif ARGV[3] ~= '' then
    local kicked = standing[2] and string.match(standing[2], '^(%d+) ')
    local refused = standing[1] or standing[2] and not (kicked and created - kicked > 0)
    local more = not refused and tonumber(slide)
    if more then
      expires = string.format('%.0f', math.max(expires, ARGV[2] + more))
      if redis.call('PTTL', KEYS[1]) < more then redis.call('PEXPIRE', KEYS[1], string.format('%.0f', more)) end
    end
    record = table.concat({id, created, expires .. slide, ARGV[2], client, ARGV[3], data}, ' ')
    -- (A Redis that is full refuses this. The request is admitted anyway: it may fetch what fills Redis.)
    redis.pcall('HSET', KEYS[1], ARGV[1], record)
  end
end
return {standing[1], standing[2], standing[3], record}
