-- SPDX-License-Identifier: MIT
--
-- Part of a step: `met` is an error that was met with KEYS[first] to KEYS[last]. Where one of these
-- is of a type that it can't be, the error becomes one that names it.
met = type(met) == 'table' and met or {err = met} -- (a table since Redis 7, a text before)
if string.find(met.err, 'WRONGTYPE', 1, true) then
  local kinds = {base = 'string', unacked = 'list', mailbox = 'list', clients = 'hash',
    tokens = 'hash', standing = 'hash'}
  for i = first, last do
    local kind, found = kinds[string.match(KEYS[i], '^%a+')], redis.call('TYPE', KEYS[i]).ok
    if kind and found ~= kind and found ~= 'none' then
      met = {err = string.format('BROKEN %s is a %s, not a %s', KEYS[i], found, kind)}
      break
    end
  end
end
