-- Forgets a request, and its tenant with the last one.
local function drop(id)
  call('ZREM', P .. 'ended', id)
  call('ZREM', P .. 'unfinished', id)
  call('ZREM', P .. 'deadlines', id)
  local r = request(id)
  if not r then return end
  count_open(r, r.open, 0)
  leave(r)
  forget_key(r, r.idempotency)
  for name in pairs(waiters(r)) do forget_key(r, name) end
  local shared = P .. 'shared:' .. r.tenant .. ':' .. r.digest
  if call('GET', shared) == id then call('UNLINK', shared) end
  call('ZREM', P .. 'requests:' .. r.tenant, id)
  if call('EXISTS', P .. 'requests:' .. r.tenant) == 0 then call('UNLINK', P .. 'tenant:' .. r.tenant) end
  call('UNLINK', r.key, P .. 'versions:' .. id, P .. 'blocked:' .. id, P .. 'history:' .. id)
  call('PUBLISH', P .. 'changes:' .. id, 0)
  loaded[id] = false
end
