# kube-proxy, and of Debian only iptables with what it links to and its extensions.
ARG BASE
FROM ${BASE} AS debian
RUN mkdir -p /iptables/usr/sbin /iptables/run /iptables/tmp && \
    cp --parents --dereference $(ldd /usr/sbin/xtables-nft-multi /usr/lib/*/xtables/*.so | grep -oE '/[^ ]+\.so[.0-9]*' | sort -u) /iptables && \
    cp --parents --recursive /usr/lib/*/xtables /iptables && \
    cp /usr/sbin/xtables-nft-multi /iptables/usr/sbin/ && \
    for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do \
      ln -s xtables-nft-multi /iptables/usr/sbin/$name; \
    done

FROM scratch
ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
COPY --from=debian /iptables/ /
COPY kube-proxy /usr/local/bin/
