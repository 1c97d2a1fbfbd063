// external-dns, for the end-to-end tests. Nothing of it goes into the product.
module gateway-route-sync/neighbours/external-dns

go 1.26.1

require sigs.k8s.io/external-dns v0.21.0
