package pvesim

import (
	"slices"
	"strings"
)

func ociRoutes() []route {
	pull := func(c *call) error {
		if err := c.wants("/storage/"+c.vars["storage"], "Datastore.AllocateTemplate"); err != nil {
			return err
		}
		return c.wants("/nodes/"+c.vars["node"], "Sys.AccessNetwork")
	}
	return append(daemon(post("/nodes/{node}/storage/{storage}/oci-registry-pull", pull, pullImage)),
		get("/nodes/{node}/query-oci-repo-tags", need("/nodes/{node}", "Sys.AccessNetwork"), imageTags))
}

// imageSize looks an image up among World.Downloads, where images have the scheme docker and always a registry.
func (w *World) imageSize(reference string) (int64, bool) {
	size, ok := w.Downloads[imageURL(reference)]
	return size, ok
}

// imageURL completes a reference as the tools do: without a registry it is Docker's, without a folder that of its library.
func imageURL(reference string) string {
	first, _, nested := strings.Cut(reference, "/")
	switch {
	case !nested:
		reference = "docker.io/library/" + reference
	case !strings.ContainsAny(first, ".:") && first != "localhost":
		reference = "docker.io/" + reference
	}
	return "docker://" + reference
}

// imageTags lists what there is of a repository.
func imageTags(c *call) (any, error) {
	repo, tags := imageURL(c.param("reference"))+":", []string{}
	for from := range c.w.Downloads {
		if tag, ok := strings.CutPrefix(from, repo); ok {
			tags = append(tags, tag)
		}
	}
	if len(tags) == 0 {
		host, _, _ := strings.Cut(strings.TrimPrefix(repo, "docker://"), "/")
		return nil, fail("Error listing repository tags: pinging container registry %s: %s", host, resolverError(host)) // the text is inferred
	}
	slices.Sort(tags)
	return tags, nil
}

// pullImage stores an image as a template, in a task (source: pve-storage, Status.pm; texts are inferred). Its name is that of
// the image with its tag where none is given.
func pullImage(c *call) (any, error) {
	store, reference := c.vars["storage"], c.param("reference")
	if err := c.usableStorage(store); err != nil {
		return nil, err
	}
	if def := c.w.Storage(store); !onFiles(text(def["type"])) || !contains(splitList(text(def["content"])), "vztmpl") {
		return nil, fail("storage '%s' is not configured for content-type 'vztmpl'", store)
	}
	name := cleanName(c.param("filename"))
	if name == "" {
		name = strings.ReplaceAll(reference[strings.LastIndexByte(reference, '/')+1:], ":", "_")
	}
	name = strings.TrimSuffix(name, ".tar") + ".tar"
	volid := store + ":vztmpl/" + name
	if c.node.volume(volid) != nil {
		return nil, fail("refusing to override existing file '%s'", name)
	}
	return c.fork("ocipull", name, func(j *job) error {
		j.log("pulling %s to %s", reference, j.w.pathOf(volid))
		size, ok := j.w.imageSize(reference)
		if !ok {
			host, _, _ := strings.Cut(strings.TrimPrefix(imageURL(reference), "docker://"), "/")
			return fail("pulling image failed: pinging container registry %s: %s", host, resolverError(host))
		}
		return j.after(copyTime(size), func() error {
			j.w.putFile(j.node, volid, "vztmpl", &upload{size: size})
			return nil
		})
	}), nil
}
