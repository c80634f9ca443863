# Sourced by run.sh: an OCI image made by hand, with no client and no network.
# shellcheck shell=bash

# blob LAYOUT FILE: moves the file into the layout's blobs; prints its digest.
blob() {
    local digest
    digest=$(sha256sum "$2" | cut -d' ' -f1)
    mv "$2" "$1/blobs/sha256/$digest"
    echo "sha256:$digest"
}

# make_oci_image DIRECTORY TEXT: an OCI image layout, tag "one", with one layer that holds one file with the text.
make_oci_image() {
    local layout=$1 text=$2 layer layer_size config config_size manifest manifest_size
    mkdir -p "$layout/blobs/sha256" "$work/layer"
    echo "$text" >"$work/layer/proof.txt"
    tar --sort=name --owner=0 --group=0 --mtime=@0 -C "$work/layer" -cf "$work/layer.tar" proof.txt
    cp "$work/layer.tar" "$work/rootfs.tar"
    layer_size=$(stat -c %s "$work/layer.tar")
    layer=$(blob "$layout" "$work/layer.tar")
    cat >"$work/config.json" <<END
{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["$layer"]},"history":[{"created_by":"e2e"}]}
END
    config_size=$(stat -c %s "$work/config.json")
    config=$(blob "$layout" "$work/config.json")
    cat >"$work/manifest.json" <<END
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"$config","size":$config_size},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"$layer","size":$layer_size}]}
END
    manifest_size=$(stat -c %s "$work/manifest.json")
    manifest=$(blob "$layout" "$work/manifest.json")
    echo '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
    cat >"$layout/index.json" <<END
{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"$manifest","size":$manifest_size,"annotations":{"org.opencontainers.image.ref.name":"one"}}]}
END
}
