package proxmox

import (
	"bytes"
	"context"
	"encoding/json"
	"mime/multipart"
	"net/http"
)

// File is what an upload carries.
type File struct {
	Name    string
	Content []byte
}

// Upload sends a file as multipart/form-data, once: POST /nodes/{node}/storage/{storage}/upload. The parameters go before the file, as
// Proxmox VE reads them while the body still comes (recordings 13). The answer is that of Raw: the task that copies it into place.
func (c *Client) Upload(ctx context.Context, path string, params Params, f File) (json.RawMessage, error) {
	if _, err := checkPath(path); err != nil {
		return nil, err
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	err := writeForm(form, params, f)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+baseHost+apiPrefix+path, bytes.NewReader(body.Bytes()))
	if err != nil {
		return nil, badSegment(path)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	e, err := c.send(req, path)
	return e.Data, err
}

func writeForm(form *multipart.Writer, params Params, f File) error {
	for _, p := range params {
		if err := form.WriteField(p.Key, p.Value); err != nil {
			return err
		}
	}
	part, err := form.CreateFormFile("filename", f.Name)
	if err != nil {
		return err
	}
	if _, err := part.Write(f.Content); err != nil {
		return err
	}
	return form.Close()
}
