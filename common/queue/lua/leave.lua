-- The last flow of a priority leaves its time behind for those that come.
local function leave_time(tenant, class, priority, time)
  call('HSET', P .. 'tenant:' .. tenant, 'c:' .. class .. ':' .. priority, time)
end

-- Takes a request's flows from those served.
local function leave(r)
  for class in string.gmatch(r.classes, '[^,]+') do
    local flows = P .. 'flows:' .. class .. ':' .. r.tenant
    local score = call('ZSCORE', flows, r.id)
    if score then
      leave_time(r.tenant, class, r.priority, score + r.priority * BAND)
      call('ZREM', flows, r.id)
    end
    if r.large then call('UNLINK', P .. 'ready:' .. class .. ':' .. r.id) end
  end
end

