package ebpf

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-16 -strip llvm-strip-16 -target bpfel -go-package ebpf -type port -type network -type station_key -type station -type address_key -type neighbor -type allowed_key -type route_key -type route -type flood_key -type flood -type tunnel_key -type pair_key -type drop_key -type sighting -type said_key -type tally -type counter -type totals -type budget -type dropped -type end -type arrival_key -type sequence programs bpf/weft.c -- -O2 -g -Wall -Werror -mcpu=v3 -I/usr/include/x86_64-linux-gnu
