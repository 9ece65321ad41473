-- SPDX-License-Identifier: MIT
--
-- Part of a step that derives keys from its last one, `letterbox:KIND`, or in a Redis Cluster
-- `letterbox:KIND:{PART}`: the key of `kind` that belongs to NAME, a user or a group, is
-- start .. 'kind:' .. open .. NAME .. close.
local start, open, close = string.match(KEYS[#KEYS], '^(.*)letterbox:[^{]*(.*)$')
if open == '' then open, close = '{', '}' else close = '' end
